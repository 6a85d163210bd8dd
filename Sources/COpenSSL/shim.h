// OpenSSL, with its macros as inline functions that Swift can call.
#ifndef BERTH_COPENSSL_H
#define BERTH_COPENSSL_H

#include <openssl/err.h>
#include <openssl/ssl.h>

#endif
