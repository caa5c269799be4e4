/* Linked into the nginx of scripts/check/memory. A module stays where it is, so that a leak that is found at
 * the very end is told by the names of functions. What its statics hold counts as held. */

int dlclose(void *library) {
    (void) library;
    return 0;
}
