"""What several folders of tests share."""

pytest_plugins = ["sandbox.pytest_plugin"]
