"""The settings of the running app."""

from vibecheck.settings import Settings
from vibecheck.ui.shared.process_state import ProcessValue

# Read once. Calling it raises SettingsError.
settings = ProcessValue(Settings.load)
