"""Slides made from the chapters: `docs/make_slides.py` calls this.

    text     a chapter's text (rST) as HTML
    code     what a chapter's code shows: questions, numbers, claims, figures, functions
    reading  a chapter as items, section by section
    deck     items laid out on slides
    pages    files of slides, with the figures that chapters have drawn

Nothing is written for the slides alone. A formula has the sentence before it, a question is what
the chapter asks (`predict`), an answer has the numbers that the chapter checks (`quote`, as stored
in docs/tutorials.json), its conclusions (`claim`) and the sentence that follows.
"""
