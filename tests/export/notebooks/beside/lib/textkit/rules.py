def longest(word: str, endings: list[str]) -> str:
    return max((each for each in endings if word.endswith(each)), key=len, default="")
