"""SES events in, facts about contacts out: the policy table and the code that applies it."""
