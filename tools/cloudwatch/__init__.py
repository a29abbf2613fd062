"""CloudWatch's rules for metric math, alarms and dashboards, as far as template.yaml uses them."""
