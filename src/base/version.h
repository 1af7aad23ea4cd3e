/* Versions: Rhea's own, and that of the peer whose interfaces it has. */
#pragma once

#define RHEA_VERSION "0.1.0"
#define PEER_VERSION "7.2.22"
enum { PEER_MAJOR = 7, PEER_MINOR = 2, PEER_MICRO = 22 };
