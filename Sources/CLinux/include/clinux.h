// Linux calls that Swift's Glibc module leaves out: epoll, eventfd, accept4.
// _GNU_SOURCE stays undefined (debug builds of importing Swift code fail on fd_set with it), so accept4 is declared by hand.
#ifndef BERTH_CLINUX_H
#define BERTH_CLINUX_H

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <fcntl.h>

int accept4(int sockfd, struct sockaddr *addr, socklen_t *addrlen, int flags);

#endif
