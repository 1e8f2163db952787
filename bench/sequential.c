/*
 * Writes or reads one large file from beginning to end, in pieces of 128 KiB, and prints megabytes (10^6) per second:
 *
 *   sequential write FILE MIB SEED OTHER     {"rate":193.1,"longest":4210.5}
 *   sequential cold|warm FILE MIB SEED       {"rate":1720.4}
 *
 * Writing ends with the close. Meanwhile another thread opens, reads and closes the small file OTHER again and again;
 * `longest` is what that took at most, in microseconds. `cold` drops the kernel's pages of the file first. What is read is
 * compared with what was written, outside the measured time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 128 * 1024, PAUSE = 1000 };

static const char *other;
static atomic_int over;
static double longest;

static long check(long result, const char *what) {
  if (result >= 0) return result;
  fprintf(stderr, "sequential: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_RAW, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/* Bytes that do not repeat: xorshift64*. */
static char *content(size_t size, uint64_t seed) {
  char *bytes = malloc(size);
  if (!bytes) check(-1, "malloc");
  uint64_t x = seed * 0x9E3779B97F4A7C15u | 1;
  for (size_t i = 0; i < size; i += 8) {
    x ^= x >> 12, x ^= x << 25, x ^= x >> 27;
    uint64_t word = x * 0x2545F4914F6CDD1Du;
    memcpy(bytes + i, &word, 8);
  }
  return bytes;
}

static void *look(void *unused) {
  char buffer[4096];
  while (!over) {
    double start = now();
    int fd = check(open(other, O_RDONLY), "open of the other file");
    check(read(fd, buffer, sizeof buffer), "read of the other file");
    check(close(fd), "close of the other file");
    double took = now() - start;
    if (took > longest) longest = took;
    usleep(PAUSE);
  }
  return unused;
}

static void write_all(const char *file, const char *bytes, size_t size) {
  pthread_t looking;
  errno = pthread_create(&looking, NULL, look, NULL);
  if (errno) check(-1, "pthread_create");
  double start = now();
  int fd = check(open(file, O_CREAT | O_TRUNC | O_WRONLY, 0644), "open for writing");
  for (size_t at = 0; at < size; at += PIECE)
    if (check(write(fd, bytes + at, PIECE), "write") != PIECE) check(-1, "short write");
  check(close(fd), "close");
  double took = now() - start;
  over = 1;
  pthread_join(looking, NULL);
  printf("{\"rate\":%.1f,\"longest\":%.1f}\n", size / took, longest);
}

static void read_all(const char *file, const char *bytes, size_t size, int cold) {
  char *got = malloc(size);
  if (!got) check(-1, "malloc");
  memset(got, 0, size); /* its pages are there before the clock runs */
  if (cold) {
    int fd = check(open(file, O_RDWR), "open");
    check(fsync(fd), "fsync");
    errno = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    if (errno) check(-1, "posix_fadvise");
    check(close(fd), "close");
  }
  double start = now();
  int fd = check(open(file, O_RDONLY), "open");
  size_t at = 0;
  for (long n; at < size && (n = check(read(fd, got + at, PIECE), "read")) > 0;) at += n;
  check(close(fd), "close");
  double took = now() - start;
  errno = EIO;
  if (at != size || memcmp(got, bytes, size)) check(-1, "wrong content");
  printf("{\"rate\":%.1f}\n", size / took);
}

int main(int argc, char **argv) {
  if (argc < 5 || (argc < 6 && !strcmp(argv[1], "write"))) {
    fprintf(stderr, "usage: sequential write|cold|warm FILE MIB SEED [OTHER]\n");
    return 64;
  }
  size_t size = strtoull(argv[3], NULL, 10) << 20;
  char *bytes = content(size, strtoull(argv[4], NULL, 10));
  other = argv[5];
  if (!strcmp(argv[1], "write")) write_all(argv[2], bytes, size);
  else read_all(argv[2], bytes, size, !strcmp(argv[1], "cold"));
  return 0;
}
