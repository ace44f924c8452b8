/* loop FILE COUNT: parse the request in FILE COUNT times with picohttpparser, as its own
 * bench.c does, check each result, and print the nanoseconds that one took. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "picohttpparser.h"

int main(int argc, char **argv) {
  static char request[1 << 16];
  FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
  if (file == NULL) {
    fprintf(stderr, "usage: loop FILE COUNT; FILE is a request head with its empty line\n");
    return 2;
  }
  size_t length = fread(request, 1, sizeof request, file);
  long count = atol(argv[2]);
  struct timespec begun, done;
  clock_gettime(CLOCK_MONOTONIC, &begun);
  for (long i = 0; i < count; i++) {
    const char *method, *path;
    size_t method_length, path_length, fields_count = 32;
    struct phr_header fields[32];
    int minor;
    int n = phr_parse_request(request, length, &method, &method_length, &path, &path_length, &minor, fields,
                              &fields_count, 0);
    if (n != (int)length || minor != 1 || fields_count != 9) {
      fprintf(stderr, "loop: %d of %zu bytes, %zu fields\n", n, length, fields_count);
      return 1;
    }
  }
  clock_gettime(CLOCK_MONOTONIC, &done);
  printf("%.1f\n", ((done.tv_sec - begun.tv_sec) * 1e9 + (done.tv_nsec - begun.tv_nsec)) / count);
  return 0;
}
