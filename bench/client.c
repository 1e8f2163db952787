/*
 * The measuring client: runs one row after the other on a directory and prints a JSON object per row:
 *   {"row":"create","n":2000,"median":12.3,"mean":13.1}      times in microseconds per operation
 *
 *   client DIR FILES SEED ROW...
 *
 * In C, because a client in a slower language would measure itself. Each operation is timed singly; making content and
 * checking it happen outside the measured time. Every write brings new bytes, so that no file system can skip it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 2048, APPENDED = 100, FSYNCS = 200, LISTINGS = 25, SEARCHES = 5 };

/* What a file must hold: `size` bytes of stream `stream`, then APPENDED bytes of stream `tail` (0: none). */
struct expected {
  uint64_t stream;
  uint64_t tail;
};

static const char *root;
static int files;
static uint64_t seed, streams;
static struct expected *expected;
static double *samples;
static char data[SIZE], buffer[1 << 16];

static void die(const char *what) {
  fprintf(stderr, "client: %s in %s: %s\n", what, root, strerror(errno));
  exit(1);
}

static long check(long result, const char *what) {
  if (result < 0) die(what);
  return result;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_RAW, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/* Bytes nobody has seen before: xorshift64* of the stream's number. */
static void fill(char *out, size_t length, uint64_t stream) {
  uint64_t x = (seed + stream) * 0x9E3779B97F4A7C15u | 1;
  for (size_t i = 0; i < length; i += 8) {
    x ^= x >> 12, x ^= x << 25, x ^= x >> 27;
    uint64_t word = x * 0x2545F4914F6CDD1Du;
    memcpy(out + i, &word, length - i < 8 ? length - i : 8);
  }
}

static const char *path(const char *prefix, int i) {
  static char paths[2][PATH_MAX];
  static int turn;
  char *out = paths[turn ^= 1];
  snprintf(out, PATH_MAX, "%s/%s%d", root, prefix, i);
  return out;
}

/* Compares what was read with what the file must hold. */
static void verify(int i, const char *got, long length) {
  char want[SIZE + APPENDED];
  struct expected e = expected[i];
  long size = SIZE + (e.tail ? APPENDED : 0);
  fill(want, SIZE, e.stream);
  if (e.tail) fill(want + SIZE, APPENDED, e.tail);
  errno = EIO;
  if (length != size || memcmp(want, got, size)) die("wrong content");
}

/* ---- operations: each does it once for file i and returns the microseconds it took ---- */

static double save(const char *name, int i, int flags) {
  expected[i] = (struct expected){.stream = ++streams};
  fill(data, SIZE, streams);
  double start = now();
  int fd = check(open(name, O_WRONLY | flags, 0644), "open for writing");
  if (write(fd, data, SIZE) != SIZE) die("write");
  check(close(fd), "close");
  return now() - start;
}

/* As a shell's redirection does. With O_EXCL memfs would hold the version back for a second: the file may be temporary. */
static double create(int i) { return save(path("f", i), i, O_CREAT | O_TRUNC); }

/* In place, without a truncation: what was appended before stays. */
static double overwrite(int i) {
  uint64_t tail = expected[i].tail;
  double took = save(path("f", i), i, 0);
  expected[i].tail = tail;
  return took;
}

static double replace(int i) { return save(path("f", i), i, O_TRUNC); }

static double atomic_save(int i) {
  const char *temporary = path("tmp", i), *target = path("f", i);
  double took = save(temporary, i, O_CREAT | O_EXCL);
  double start = now();
  check(rename(temporary, target), "rename over");
  return took + now() - start;
}

static double append(int i) {
  expected[i].tail = ++streams;
  fill(data, APPENDED, streams);
  const char *name = path("f", i);
  double start = now();
  int fd = check(open(name, O_WRONLY | O_APPEND), "open for appending");
  if (write(fd, data, APPENDED) != APPENDED) die("append");
  check(close(fd), "close");
  return now() - start;
}

static double read_back(int i) {
  const char *name = path("f", i);
  double start = now();
  int fd = check(open(name, O_RDONLY), "open");
  long length = check(read(fd, buffer, sizeof buffer), "read");
  check(close(fd), "close");
  double took = now() - start;
  verify(i, buffer, length);
  return took;
}

static double stat_one(int i) {
  struct stat s;
  const char *name = path("f", i);
  double start = now();
  check(stat(name, &s), "stat");
  double took = now() - start;
  errno = EIO;
  if (s.st_size != SIZE + (expected[i].tail ? APPENDED : 0)) die("wrong size");
  return took;
}

static double move(const char *from, const char *to) {
  double start = now();
  check(rename(from, to), "rename");
  return now() - start;
}

static double rename_away(int i) { return move(path("f", i), path("g", i)); }
static double rename_back(int i) { return move(path("g", i), path("f", i)); }

static double remove_one(int i) {
  const char *name = path("f", i);
  double start = now();
  check(unlink(name), "unlink");
  return now() - start;
}

static double make_directory(int i) {
  const char *name = path("d", i % 10);
  double start = now();
  check(mkdir(name, 0755), "mkdir");
  check(rmdir(name), "rmdir");
  return now() - start;
}

static double write_fsync(int i) {
  static int fd = -1;
  if (fd < 0) fd = check(open(path("synced", 0), O_CREAT | O_RDWR, 0644), "open");
  fill(data, APPENDED, ++streams);
  double start = now();
  if (pwrite(fd, data, APPENDED, (off_t)i * APPENDED) != APPENDED) die("pwrite");
  check(fsync(fd), "fsync");
  double took = now() - start;
  if (i == FSYNCS - 1) {
    check(close(fd), "close");
    check(unlink(path("synced", 0)), "unlink");
  }
  return took;
}

/* Reads the whole directory; `each` is called with every file in it. Microseconds per file. */
static double walk(void (*each)(int directory, const char *name)) {
  int count = 0;
  double start = now();
  DIR *directory = opendir(root);
  if (!directory) die("opendir");
  for (struct dirent *entry; (entry = readdir(directory));) {
    if (entry->d_name[0] != 'f') continue;
    each(dirfd(directory), entry->d_name);
    count++;
  }
  closedir(directory);
  double took = now() - start;
  errno = EIO;
  if (count != files) die("wrong number of entries");
  return took / files;
}

static void look(int directory, const char *name) {
  struct stat s;
  check(fstatat(directory, name, &s, AT_SYMLINK_NOFOLLOW), "fstatat");
}

static void search(int directory, const char *name) {
  struct stat s;
  int fd = check(openat(directory, name, O_RDONLY), "openat");
  check(fstat(fd, &s), "fstat");
  long total = 0;
  for (long n; (n = check(read(fd, buffer, sizeof buffer), "read")) > 0; total += n) {
    errno = EIO;
    if (memmem(buffer, n, "no such needle", 14)) die("a needle nobody wrote");
  }
  check(close(fd), "close");
  errno = EIO;
  if (total != s.st_size) die("read less than the size");
}

static double list_long(int i) { return (void)i, walk(look); }
static double grep(int i) { return (void)i, walk(search); }

/* ---- rows, in the order they run ---- */

struct row {
  const char *name;
  double (*once)(int i);
  double (*twice)(int i); /* a second measured pass that undoes the first */
  int warm;               /* an unmeasured pass first */
  int repeat;             /* 0: once per file */
  int needed;             /* runs also when it is not asked for: later rows stand on it */
};

static const struct row rows[] = {
    {.name = "create", .once = create, .needed = 1},
    {.name = "read", .once = read_back, .warm = 1},
    {.name = "stat", .once = stat_one, .warm = 1},
    {.name = "append", .once = append},
    {.name = "overwrite", .once = overwrite},
    {.name = "truncate", .once = replace},
    {.name = "atomic", .once = atomic_save},
    {.name = "list", .once = list_long, .warm = 1, .repeat = LISTINGS},
    {.name = "grep", .once = grep, .warm = 1, .repeat = SEARCHES},
    {.name = "rename", .once = rename_away, .twice = rename_back},
    {.name = "mkdir", .once = make_directory},
    {.name = "fsync", .once = write_fsync, .repeat = FSYNCS},
    {.name = "unlink", .once = remove_one, .needed = 1},
};

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void run(const struct row *row, int report) {
  int n = 0, times = row->repeat ? row->repeat : files;
  double sum = 0;
  if (row->warm)
    for (int i = 0; i < (row->repeat ? 1 : files); i++) row->once(i);
  for (int i = 0; i < times; i++) samples[n++] = row->once(i);
  for (int i = 0; row->twice && i < times; i++) samples[n++] = row->twice(i);
  if (!report) return;
  for (int i = 0; i < n; i++) sum += samples[i];
  qsort(samples, n, sizeof *samples, ascending);
  printf("{\"row\":\"%s\",\"n\":%d,\"median\":%.2f,\"mean\":%.2f}\n", row->name, n, samples[n / 2], sum / n);
  fflush(stdout);
}

static int asked(const char *name, char **names) {
  for (; *names; names++)
    if (!strcmp(*names, name)) return 1;
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 5 || (files = atoi(argv[2])) < 1) {
    fprintf(stderr, "usage: client DIR FILES SEED ROW...\n");
    return 64;
  }
  root = argv[1];
  seed = strtoull(argv[3], NULL, 10);
  expected = calloc(files, sizeof *expected);
  samples = calloc(2 * (size_t)files + FSYNCS, sizeof *samples);
  if (!expected || !samples) die("calloc");
  check(mkdir(root, 0755), "mkdir");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    int report = asked(rows[i].name, argv + 4);
    if (report || rows[i].needed) run(&rows[i], report);
    /* Nothing written so far may be lost; also checks what the last rows did. */
    if (rows[i].once != remove_one)
      for (int j = 0; report && j < files; j += 97) read_back(j);
  }
  check(rmdir(root), "rmdir");
  return 0;
}
