"""Numbers of things in words: 1 picture, 2,000 pictures, 1 class, 2 classes."""


def counted(number: float, thing: str, width: int = 0) -> str:
    """Return a number with its noun, singular or plural; the number is right-aligned in `width`.

    Whole numbers have commas; others, such as 0.5 epochs, are written as short as possible.
    """
    digits = f"{int(number):,}" if number == int(number) else f"{number:g}"
    return f"{digits:>{width}} {thing if number == 1 else plural(thing)}"


def plural(noun: str) -> str:
    """Return the plural of a noun whose plural is regular."""
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "sh", "tch")) else f"{noun}s"
