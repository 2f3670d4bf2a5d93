/* sender: the limit of the machine. Sends WebSocket messages at a set rate to whoever connects, from
 * one epoll loop, and does nothing else: no log, no certificates, no other wire.
 *
 * usage: sender RATE MESSAGES
 *   RATE: messages a second. MESSAGES: file of JSON documents, one a line, sent in turn; in each, @SEEN@
 *   becomes the time of day and @INDEX@ a number that grows by one.
 * Prints "Listening on http://127.0.0.1:PORT/" and runs until it is killed.
 *
 * The stream stands once in a ring of bytes that is mapped twice in a row, so that any part of it lies in
 * one piece. A client is an offset into it; one that is further behind than the ring is dropped.
 * Built with: cc -O2 -o sender sender.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define RING (64u << 20)
#define MOST (1 << 17)   /* of one message */
#define REQUEST 2048
#define TURN (128 << 10) /* bytes to one client in one turn, as Twisted sends them */

struct client { int streaming, blocked, len; unsigned long long at; char request[REQUEST]; };

static unsigned char *ring;
static unsigned long long written;
static struct client **clients;
static int epoll_fd, highest = -1;
static char **messages; static size_t count;

/* To any key: the load client does not look. */
static const char ACCEPT[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static double now(void) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); return t.tv_sec + t.tv_nsec / 1e9; }
static void fail(const char *what) { perror(what); exit(1); }

static void make_ring(void) {
  int fd = memfd_create("ring", 0);
  if (fd < 0 || ftruncate(fd, RING)) fail("ring");
  ring = mmap(0, 2 * RING, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 2; i++)
    if (mmap(ring + i * RING, RING, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) fail("mmap");
}
static void read_messages(const char *path) {
  FILE *file = fopen(path, "r"); char *line = 0; size_t room = 0; ssize_t n;
  if (!file) fail(path);
  while ((n = getline(&line, &room, file)) > 0) {
    if (line[n - 1] == '\n') line[--n] = 0;
    if (n == 0 || n > MOST - 64) continue;
    messages = realloc(messages, (count + 1) * sizeof *messages);
    messages[count++] = strdup(line);
  }
  if (!count) { fprintf(stderr, "no messages in %s\n", path); exit(1); }
}
static char *replace(char *to, const char *end, const char **from, const char *name, const char *value) {
  const char *found = strstr(*from, name);
  if (!found || to + (found - *from) + 32 > end) return to;
  memcpy(to, *from, found - *from); to += found - *from;
  *from = found + strlen(name);
  return stpcpy(to, value);
}
static void append(unsigned long long number, double seen) {
  static char body[MOST + 64]; char time[32], index[32], *to = body;
  const char *from = messages[number % count], *a = strstr(from, "@INDEX@"), *b = strstr(from, "@SEEN@");
  snprintf(time, sizeof time, "%.6f", seen); snprintf(index, sizeof index, "%llu", number);
  int index_first = a && (!b || a < b);
  for (int i = 0; i < 2; i++)
    to = (i == 0) == index_first ? replace(to, body + MOST, &from, "@INDEX@", index) : replace(to, body + MOST, &from, "@SEEN@", time);
  to = stpcpy(to, from);
  unsigned long long n = to - body; unsigned char *p = ring + written % RING; int head;
  p[0] = 0x81;
  if (n < 126) { p[1] = n; head = 2; }
  else if (n < 65536) { p[1] = 126; p[2] = n >> 8; p[3] = n; head = 4; }
  else { p[1] = 127; for (int i = 0; i < 8; i++) p[2 + i] = n >> (56 - 8 * i); head = 10; }
  memcpy(p + head, body, n);
  written += head + n;
}
static void drop(int fd) { close(fd); free(clients[fd]); clients[fd] = 0; }
static void want(int fd, unsigned events) {
  struct epoll_event ev = {.events = events, .data.fd = fd}; epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &ev);
}
static void push(int fd, unsigned long long most) {
  struct client *c = clients[fd];
  if (written - c->at > RING - MOST) { drop(fd); return; }
  while (c->at < written && most > 0) {
    unsigned long long n = written - c->at;
    ssize_t sent = send(fd, ring + c->at % RING, n < most ? n : most, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN) { drop(fd); return; }
      break;
    }
    c->at += sent; most -= sent;
    if ((unsigned long long)sent < n) break;
  }
  int behind = c->at < written;
  if (behind != c->blocked) { c->blocked = behind; want(fd, behind ? EPOLLIN | EPOLLOUT : EPOLLIN); }
}
static void accept_all(int listener) {
  int fd, one = 1;
  while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    clients[fd] = calloc(1, sizeof **clients);
    if (fd > highest) highest = fd;
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd}; epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev);
  }
}
static void hear(int fd) {
  struct client *c = clients[fd]; char ignored[4096];
  ssize_t n = c->streaming ? recv(fd, ignored, sizeof ignored, 0) : recv(fd, c->request + c->len, REQUEST - 1 - c->len, 0);
  if (n == 0 || (n < 0 && errno != EAGAIN)) { drop(fd); return; }
  if (n < 0 || c->streaming) return;
  c->len += n; c->request[c->len] = 0;
  if (!strstr(c->request, "\r\n\r\n")) { if (c->len == REQUEST - 1) drop(fd); return; }
  if (send(fd, ACCEPT, sizeof ACCEPT - 1, MSG_NOSIGNAL) != sizeof ACCEPT - 1) { drop(fd); return; }
  c->streaming = 1; c->at = written;
}

int main(int argc, char **argv) {
  if (argc != 3) { fprintf(stderr, "usage: see the head of sender.c\n"); return 2; }
  double rate = atof(argv[1]);
  read_messages(argv[2]);
  make_ring();
  struct rlimit limit; getrlimit(RLIMIT_NOFILE, &limit); limit.rlim_cur = limit.rlim_max; setrlimit(RLIMIT_NOFILE, &limit);
  clients = calloc(limit.rlim_max, sizeof *clients);
  epoll_fd = epoll_create1(0);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}; socklen_t len = sizeof here;
  if (bind(listener, (void *)&here, len) || listen(listener, 4096) || getsockname(listener, (void *)&here, &len)) fail("listen");
  int own[2] = {listener, timer};
  for (int i = 0; i < 2; i++) { struct epoll_event ev = {.events = EPOLLIN, .data.fd = own[i]}; epoll_ctl(epoll_fd, EPOLL_CTL_ADD, own[i], &ev); }
  long nanoseconds = 1e9 / rate; if (nanoseconds < 1000000) nanoseconds = 1000000;
  struct itimerspec every = {{nanoseconds / 1000000000, nanoseconds % 1000000000}, {nanoseconds / 1000000000, nanoseconds % 1000000000}};
  timerfd_settime(timer, 0, &every, 0);
  printf("Listening on http://127.0.0.1:%d/\n", ntohs(here.sin_port)); fflush(stdout);

  struct epoll_event events[1024]; double begun = now(); unsigned long long number = 0;
  for (;;) {
    int k = epoll_wait(epoll_fd, events, 1024, -1), due = 0;
    for (int i = 0; i < k; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) accept_all(listener);
      else if (fd == timer) { unsigned long long ticks; (void)!read(timer, &ticks, sizeof ticks); due = 1; }
      else {
        if (clients[fd] && events[i].events & ~EPOLLOUT) hear(fd);
        if (clients[fd] && clients[fd]->streaming && events[i].events & EPOLLOUT) push(fd, TURN);
      }
    }
    if (!due) continue;
    double t = now(); int any = 0;
    for (; number < (t - begun) * rate; number++, any = 1) append(number, t);
    if (any) for (int fd = 0; fd <= highest; fd++) if (clients[fd] && clients[fd]->streaming && !clients[fd]->blocked) push(fd, RING);
  }
}
