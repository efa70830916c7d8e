"""Exercises: parts of this package that a student writes again, checked at every save.

    exercise      what an exercise consists of
    tasks         one exercise a file, and their order
    fences        comments in the library that mark the lines to write
    student_file  the file to complete, cut out of the library's code
    gradients     check a backward pass by finite differences and name its mistake
    comparison    compare an array with the right one and name its mistake
    numbers       the random numbers of the checks, drawn for each student
    grader        load a student's file and run the check
    library_answer  refuse the library's own function as an answer
    isolated_run  the grader in a process of its own, with limits of time and memory
    explaining    an exception in a student's file in one sentence
    messages      findings, hints and solutions as lines of text
    changes       wait for the next save of a file
    progress      which exercises are solved, how many hints were shown
    submission    the token that tells whether a file is the one that was checked
    gradescope    the results file that Gradescope reads

The package itself never changes: a student's file is a module of its own.
"""
