"""Exercises: parts of this package to write anew, each checked until it is right.

    fences     the student's file, cut out of the library's own code
    exercise   what an exercise is made of
    tasks      one exercise a file, and their order
    gradients  a backward pass judged by differences, its mistake named
    judge      a student's file judged, in a process of its own
    progress   what was solved, which hints were shown
    watching   a file judged at each save
    gradescope a results file for graders

Nothing here writes on the package: a student's file is a module of its own.
"""
