from .rules import longest


def stem(word: str, endings: list[str]) -> str:
    return word.removesuffix(longest(word, endings))
