"""Every word that the page shows, in three languages."""

from calibration.web.language.words import LANGUAGES, Words, load_words, preferred

__all__ = ["LANGUAGES", "Words", "load_words", "preferred"]
