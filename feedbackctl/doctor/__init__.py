"""The diagnosis of `feedbackctl doctor`: the path of feedback, hop by hop."""
