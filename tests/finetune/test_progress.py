import io

from finetune.progress import Terminal, as_line


def test_terminal_says_how_to_resume_a_run_in_the_default_folder():
    out = io.StringIO()
    Terminal(out)({"event": "started", "base": "a", "device": "cpu", "epochs": 3, "out": "data/ft-1"})
    assert "the same command with --out data/ft-1 resumes it.\n" in out.getvalue()


def test_a_loss_that_is_not_a_number_is_still_json():
    assert as_line({"event": "step", "loss": float("nan"), "done": 1 / 3}) == (
        '{"event": "step", "loss": null, "done": 0.33333}'
    )
