/*
 * The floor: what the kernel alone asks for a broadcast. One thread accepts connections
 * on 127.0.0.1 and, told by its standard input, sends the same bytes to each of them with
 * one blocking send() a socket. It parses nothing, queues nothing and forgives nothing.
 *
 *   floor 127.0.0.1:PORT
 *
 * Commands, one a line:
 *   send SEQ TOKEN DUE BYTES   one frame of BYTES bytes to every connection
 *   close                      close every connection
 * End of input ends the program.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNS_MAX = 20000, FRAME_MAX = 65536, LINE_MAX_BYTES = 256 };

static int conns[CONNS_MAX];
static int conn_count;

static void die(const char *what) {
	perror(what);
	exit(1);
}

static int listen_on(const char *address) {
	char host[64];
	const char *colon = strrchr(address, ':');
	if (colon == NULL || (size_t)(colon - address) >= sizeof host) {
		fprintf(stderr, "usage: floor 127.0.0.1:PORT\n");
		exit(2);
	}
	memcpy(host, address, (size_t)(colon - address));
	host[colon - address] = 0;
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	if (fd < 0 || inet_pton(AF_INET, host, &sa.sin_addr) != 1)
		die("address");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(fd, 4096) < 0)
		die("listen");
	return fd;
}

/* The head and the point of attachment, so that the client does what it does elsewhere. */
static void accept_one(int listener) {
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 1000\nid: 0-0\n\n";
	int fd = accept(listener, NULL, NULL), one = 1;
	if (fd < 0)
		die("accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (conn_count == CONNS_MAX || send(fd, head, sizeof head - 1, MSG_NOSIGNAL) < 0) {
		close(fd);
		return;
	}
	conns[conn_count++] = fd;
}

static void broadcast(uint64_t seq, uint64_t token, int64_t due, size_t bytes) {
	static char frame[FRAME_MAX];
	if (bytes > sizeof frame)
		bytes = sizeof frame;
	int n = snprintf(frame, sizeof frame, "id: 0-%" PRIu64 "\ndata: %016" PRIx64 " %010" PRIu64 " %016" PRId64,
			 seq, token, seq, due);
	size_t used = (size_t)n;
	if (used + 2 > bytes)
		bytes = used + 2;
	if (used + 2 < bytes)
		frame[used++] = ' ';
	memset(frame + used, 'x', bytes - 2 - used);
	memcpy(frame + bytes - 2, "\n\n", 2);
	for (int i = 0; i < conn_count;) {
		if (send(conns[i], frame, bytes, MSG_NOSIGNAL) == (ssize_t)bytes) {
			i++;
			continue;
		}
		close(conns[i]);
		conns[i] = conns[--conn_count];
	}
}

static void close_all(void) {
	while (conn_count > 0)
		close(conns[--conn_count]);
}

/* Reads whole lines from standard input; 0 at its end. */
static int commands(void) {
	static char line[LINE_MAX_BYTES * 64];
	static size_t have;
	ssize_t n = read(0, line + have, sizeof line - 1 - have);
	if (n <= 0)
		return 0;
	have += (size_t)n;
	line[have] = 0;
	char *at = line, *end;
	while ((end = strchr(at, '\n')) != NULL) {
		uint64_t seq, token;
		int64_t due;
		size_t bytes;
		*end = 0;
		if (sscanf(at, "send %" SCNu64 " %" SCNu64 " %" SCNd64 " %zu", &seq, &token, &due, &bytes) == 4)
			broadcast(seq, token, due, bytes);
		else if (strcmp(at, "close") == 0)
			close_all();
		else {
			fprintf(stderr, "floor: unknown command: %s\n", at);
			exit(1);
		}
		at = end + 1;
	}
	have -= (size_t)(at - line);
	memmove(line, at, have);
	return have < sizeof line - 1;
}

int main(int argc, char **argv) {
	int listener = listen_on(argc == 2 ? argv[1] : "");
	struct pollfd p[2] = {{.fd = 0, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
	for (;;) {
		if (poll(p, 2, -1) < 0)
			die("poll");
		if (p[0].revents != 0 && !commands())
			return 0;
		if (p[1].revents != 0)
			accept_one(listener);
	}
}
