// Command throng is the server and its tools in one binary: serve, publish,
// subscribe, bench, config and version.
//
// Options come from flags, from THRONG_… in the environment and from a YAML file;
// flags beat environment beats file. The server's own options are not written down
// here: flags, variables and keys are made from the table server.Settings.
//
// Results go to standard output, logs and complaints to standard error. The exit
// status is 0 for done, 1 for failed, 2 for a command line, an environment or a file
// that is refused.
package main
