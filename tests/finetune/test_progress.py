import io

from finetune.progress import Terminal


def test_terminal_says_how_to_resume_a_run_in_the_default_folder():
    out = io.StringIO()
    Terminal(out)({"event": "started", "base": "a", "device": "cpu", "epochs": 3, "out": "data/ft-1"})
    assert "the same command with --out data/ft-1 resumes it.\n" in out.getvalue()
