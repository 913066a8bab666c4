"""The HTML report and a re-scan's report."""
