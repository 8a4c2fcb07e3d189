"""Measurements that anybody can repeat: python -m benchmarks …"""

import os

# Streamlit warns that it is used without a running app, which here is meant.
os.environ.setdefault("STREAMLIT_LOGGER_LEVEL", "error")
