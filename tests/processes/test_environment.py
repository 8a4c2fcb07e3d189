"""Which variables of the app's environment its child processes receive."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from vibecheck.processes import child
from vibecheck.settings import Settings

NEEDED = {
    "HTTPS_PROXY": "http://proxy",
    "HF_HOME": "/hf",
    "HF_ENDPOINT": "https://mirror",
    "COMET_API_KEY": "for the records' copy",
    "AWS_SECRET_ACCESS_KEY": "for the pictures",
    "PGPASSWORD": "for the records",
    "VIBECHECK_DEPLOYMENT": "other",
    "LC_ALL": "C.UTF-8",
    "OMP_WAIT_POLICY": "passive",
}
SECRET_VALUE = "a-secret-of-at-least-32-characters"
SECRET = (
    *("VIBECHECK_ACCESS_TOKEN", "SPOTIPY_CLIENT_ID", "SPOTIPY_CLIENT_SECRET", "TWILIO_AUTH_TOKEN"),
    *("CLOUDFLARE_TURN_KEY_API_TOKEN", "HF_TOKEN", "GITHUB_TOKEN", "OPENAI_API_KEY", "MY_PASSWORD"),
)


@pytest.fixture
def told(monkeypatch) -> None:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    for name in SECRET:
        monkeypatch.setenv(name, SECRET_VALUE)


def environment_of(process: "subprocess.Popen[bytes]") -> dict[str, str]:
    with process:
        return json.loads(process.stdout.read())


PRINT = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]


def test_child_receives_needed_variables_and_no_secret_of_the_app(told):
    found = environment_of(child.start(PRINT, stdout=subprocess.PIPE))
    assert found.items() >= NEEDED.items()
    assert not set(SECRET) & set(found) and SECRET_VALUE not in found.values()


def test_child_receives_the_settings_instead_of_the_apps_own_variables(told, tmp_path):
    settings = Settings(data=tmp_path, hf_token="of the settings", threads=3)
    found = environment_of(child.start(PRINT, child.environment(settings, 2), stdout=subprocess.PIPE))
    assert found["HF_TOKEN"] == "of the settings" and found["VIBECHECK_THREADS"] == "3"
    assert found["OMP_NUM_THREADS"] == found["MKL_NUM_THREADS"] == "2"
    assert found["VIBECHECK_DATA"] == str(tmp_path)
    assert found["VIBECHECK_DATABASE_URL"] == settings.records_url
    assert found["VIBECHECK_IMAGES_URL"] == settings.images_url
    assert SECRET_VALUE not in found.values()


def test_a_child_gets_its_settings_from_a_file_without_the_secrets_in_it(tmp_path, monkeypatch):
    """The child runs in the same folder, so it would find the file as the app did."""
    monkeypatch.chdir(tmp_path)
    given = {"VIBECHECK_AUDIT_SHARE": "0.5", "COMET_API_KEY": "for the records' copy"}
    lines = [f"{name}={value}" for name, value in (given | dict.fromkeys(SECRET, SECRET_VALUE)).items()]
    (tmp_path / ".env").write_text("\n".join(lines))
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text(f'TWILIO_ACCOUNT_SID = "{SECRET_VALUE}"')
    settings = Settings.load()
    assert settings.access_token and settings.twilio_account_sid
    read = [
        sys.executable,
        "-c",
        "from vibecheck.settings import Settings as S; print(S.load().model_dump_json())",
    ]
    with child.start(read, child.environment(settings), stdout=subprocess.PIPE) as process:
        found = json.loads(process.stdout.read())
    assert (found["audit_share"], found["data"]) == (0.5, str(tmp_path / "data"))
    assert found["comet_api_key"] and found["hf_token"]  # that of the Hub is for models
    names = (
        "access_token",
        "spotify_client_id",
        "spotify_client_secret",
        "twilio_auth_token",
        "cloudflare_turn_key_api_token",
        "twilio_account_sid",
    )
    assert [found[name] for name in names] == [None] * len(names)


def starters(path: Path) -> list[str]:
    """The calls in a file that start a process with this one's whole environment."""
    text = path.read_text("utf-8")
    if "subprocess" not in text and ".system" not in text:  # parsing all files takes seconds
        return []
    calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    ours = "run", "Popen", "check_output", "check_call", "create_subprocess_exec", "create_subprocess_shell"
    names = {f"{module}.{name}" for name in ours for module in ("subprocess", "asyncio")} | {"os.system"}
    return [call for call in calls if call in names]


def test_only_the_module_that_chooses_the_environment_starts_processes():
    root = Path(child.__file__).parents[2]
    found = {
        str(path.relative_to(root)): calls
        for name in ("vibecheck", "finetune", "pages")
        for path in (root / name).rglob("*.py")
        if (calls := starters(path))
    }
    assert found == {"vibecheck/processes/child.py": ["subprocess.Popen"]}


def test_no_child_is_given_the_webhook_for_alerts(tmp_path, monkeypatch):
    monkeypatch.setenv("VIBECHECK_ALERT_URL", "https://hooks.example/a-secret-path")
    settings = Settings(data=tmp_path, alert_url="https://hooks.example/a-secret-path")
    assert settings.alert_url is not None
    for given in (child.passed_on(), child.environment(settings)):
        assert not any("hooks.example" in value for value in given.values())
