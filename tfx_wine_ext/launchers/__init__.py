"""Launchers: they run driver, executor and publisher of one node, for Airflow."""
