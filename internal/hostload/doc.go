// Package hostload reads what this process may use of its host, and what is in use: processors,
// memory, descriptors. It reads files of /proc and of cgroups (version 1, version 2, and both
// side by side), and nothing else.
//
// A cgroup's limit holds for all groups below it, so the walk goes from the process's own group
// up to where the hierarchy is mounted, and the tightest limit counts. In a container the mount
// shows only a part of the hierarchy; what is above it can't be seen.
//
// Memory that counts against a cgroup is more than this process's resident set: the kernel's
// part of a socket is several kilobytes, and a node holds many. It is less than the cgroup's
// usage as well, since that has the page cache, which a store on disk fills without end and the
// kernel drops before it kills anybody. So what is compared with a cgroup's limit is its usage
// without the cache of files, and never less than the resident set.
package hostload
