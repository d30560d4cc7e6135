// What the Makefile tells of a build beside its sources; see Package.swift.
#ifndef STATUS2_CBUILD_H
#define STATUS2_CBUILD_H

#ifndef STATUS2_REVISION
#define STATUS2_REVISION
#endif

#define STATUS2_TEXT_OF(words) #words
#define STATUS2_TEXT(macro) STATUS2_TEXT_OF(macro)

// The commit, without quotes on the command line, which not all ways to the compiler would keep.
static inline const char *status2_revision(void) {
    return STATUS2_TEXT(STATUS2_REVISION);
}

#endif
