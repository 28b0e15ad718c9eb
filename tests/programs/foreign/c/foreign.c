// What a C program expects of its library, and the library of its WASI host.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void check(int holds, const char *what) {
    if (!holds) {
        printf("FAILED: %s (%s)\n", what, strerror(errno));
        exit(1);
    }
}

static void arguments(int argc, char **argv) {
    for (int i = 0; i < argc; i++)
        printf("argv[%d] = <%s>\n", i, argv[i]);
    const char *none = getenv("NONE");
    printf("GREETING = <%s>, NONE = <%s>\n", getenv("GREETING"), none ? none : "(null)");
}

static void input(void) {
    char line[64];
    int lines = 0;
    long sum = 0;
    while (fgets(line, sizeof line, stdin)) {
        lines++;
        sum += strtol(line, NULL, 0);
    }
    printf("%d lines of input, their sum is %ld\n", lines, sum);
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path) {
    DIR *dir = opendir(path);
    check(dir != NULL, "opendir");
    char *names[64];
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            names[count++] = strdup(entry->d_name);
    closedir(dir);
    qsort(names, count, sizeof *names, by_name);
    printf("%s:", path);
    for (int i = 0; i < count; i++) {
        printf(" %s", names[i]);
        free(names[i]);
    }
    printf("\n");
}

static void files(void) {
    check(mkdir("/data/made", 0777) == 0, "mkdir");
    for (char name[] = "/data/made/a"; name[11] <= 'e'; name[11]++) {
        FILE *file = fopen(name, "w");
        check(file != NULL, "fopen");
        fprintf(file, "This is %c.\n", name[11]);
        check(fclose(file) == 0, "fclose");
    }
    list("/data/made");
    check(rename("/data/made/a", "/data/kept") == 0, "rename");
    check(unlink("/data/made/b") == 0, "unlink");
    check(rmdir("/data/made") == -1 && errno == ENOTEMPTY, "a full directory stays");
    list("/data/made");
    list("/data");

    FILE *file = fopen("/data/kept", "r+");
    check(file != NULL, "fopen again");
    check(fseek(file, 8, SEEK_SET) == 0 && fputs("KEPT", file) >= 0, "overwrite");
    check(fseek(file, -1, SEEK_END) == 0, "fseek from the end");
    printf("%ld, then %d at the end\n", ftell(file), fgetc(file));
    rewind(file);
    char text[32] = "";
    check(fread(text, 1, sizeof text, file) == 12, "fread");
    printf("read back: %.*s\n", (int)strcspn(text, "\n"), text);
    fclose(file);

    struct stat status;
    check(stat("/data/kept", &status) == 0, "stat");
    printf("%lld bytes, regular: %d\n", (long long)status.st_size, S_ISREG(status.st_mode));
    check(truncate("/data/kept", 7) == 0, "truncate");
    check(open("/data/none", O_RDONLY) == -1, "open what is not there");
    printf("/data/none: %s\n", strerror(errno));
    check(open("/data/../secret", O_RDONLY) == -1, "open outside of what is opened");
    printf("/data/../secret: %s\n", strerror(errno));
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void sorting(void) {
    enum { COUNT = 100000 };
    uint32_t *numbers = malloc(COUNT * sizeof *numbers), state = 1;
    for (int i = 0; i < COUNT; i++)
        numbers[i] = state = state * 1664525 + 1013904223;
    qsort(numbers, COUNT, sizeof *numbers, by_value);
    int ordered = 1;
    for (int i = 1; i < COUNT; i++)
        ordered &= numbers[i - 1] <= numbers[i];
    uint32_t median = numbers[COUNT / 2];
    const uint32_t *found = bsearch(&median, numbers, COUNT, sizeof *numbers, by_value);
    printf("sorted: %d, least %u, median %u, found: %d\n", ordered, numbers[0], median,
           found && *found == median);
    free(numbers);
}

static void floats(void) {
    printf("%.17g %.3e %a %g\n", 0.1, 6.02214076e23, 1.0 / 3, 1e-320);
    printf("%f %g %g %5.1f|%-8.2f|%+.0f\n", -0.0, INFINITY, -INFINITY, 9.96, 2.5, 2.5);
    printf("%.15f %.15f\n", sin(1), exp(1) * pow(2, 0.5));
    printf("%.17g %ld\n", strtod("179769313486231570e291", NULL), lround(-2.5));
}

// Blocks of many sizes, filled, some grown, all checked before they are freed.
static void allocation(void) {
    enum { COUNT = 400 };
    unsigned char *blocks[COUNT];
    size_t sizes[COUNT], total = 0;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < COUNT; i++) {
            sizes[i] = (size_t)(i * i * (round + 1)) % 70000 + 1;
            blocks[i] = malloc(sizes[i]);
            check(blocks[i] && (uintptr_t)blocks[i] % 16 == 0, "malloc");
            memset(blocks[i], i, sizes[i]);
        }
        for (int i = 0; i < COUNT; i += 3) {
            blocks[i] = realloc(blocks[i], sizes[i] * 3);
            check(blocks[i] != NULL, "realloc");
        }
        for (int i = 0; i < COUNT; i++) {
            for (size_t at = 0; at < sizes[i]; at++)
                check(blocks[i][at] == (unsigned char)i, "a block keeps its bytes");
            total += sizes[i];
            free(blocks[i]);
        }
    }
    // Volatile, or the compiler knows that calloc succeeds, and does not call it.
    char *volatile large = calloc(100, 1 << 20);
    check(large && large[0] == 0 && large[(100 << 20) - 1] == 0, "calloc of 100 MiB");
    free(large);
    char *volatile too_large = malloc(1 << 30);
    check(!too_large && errno == ENOMEM, "1 GiB is more than the test lets a program have");
    printf("%zu bytes in blocks, and 100 MiB at once\n", total);
}

static void times(void) {
    time_t now = time(NULL);
    check(now > 1700000000, "the time is later than 2023");
    struct timespec before, after, pause = {.tv_nsec = 20000000};
    clock_gettime(CLOCK_MONOTONIC, &before);
    check(nanosleep(&pause, NULL) == 0, "nanosleep");
    clock_gettime(CLOCK_MONOTONIC, &after);
    double slept = (after.tv_sec - before.tv_sec) + (after.tv_nsec - before.tv_nsec) / 1e9;
    check(slept >= 0.02 && slept < 10, "20 ms are 20 ms");
    time_t then = 951782400;
    char text[64];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M, day %j", gmtime(&then));
    printf("%s\n", text);
}

int main(int argc, char **argv) {
    arguments(argc, argv);
    input();
    files();
    sorting();
    floats();
    allocation();
    times();
    fprintf(stderr, "to standard error\n");
    return 7;
}
