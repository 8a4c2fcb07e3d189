from vibecheck.records.labels.keep_question import KeepAnswers, count, keep_answers


def test_questions_and_those_who_agreed_are_counted(store):
    assert keep_answers(store.notes) == KeepAnswers(0, 0)
    for _ in range(3):
        count(store.notes, "asked")
    count(store.notes, "agreed")
    assert keep_answers(store.notes) == KeepAnswers(asked=3, agreed=1)


def test_agreement_counts_as_asked_even_if_the_question_was_not_counted(store):
    count(store.notes, "agreed")
    assert keep_answers(store.notes) == KeepAnswers(asked=1, agreed=1)
