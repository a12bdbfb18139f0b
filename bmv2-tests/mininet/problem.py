"""What is wrong and would be right, in words for whoever sits at the prompt."""


class Problem(Exception):
    """Something that is said in a line, without a traceback."""
