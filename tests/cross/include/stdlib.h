/* All that the one C file in the tree of dependencies (wasmtime's helpers.c) wants of it: enough
   to compile for a system whose headers are not here. */
#define NULL ((void *)0)
