/*
 * process/control_client.h - the command line's side of the control socket: asks, and shows the answer.
 */
#ifndef PROCESS_CONTROL_CLIENT_H
#define PROCESS_CONTROL_CLIENT_H

#define CONTROL_CONFIG "/etc/sallyport/sallyport.conf"

/*
 * Verb argv[0] with its options, `-s PATH` and `-c FILE` among them, asked of the running proxy. The answer goes to standard output,
 * what is wrong to standard error. Exit status: 0; 1: the answer is an error, or nobody answers; 2: called wrongly.
 */
int control_client(int argc, char **argv);

#endif
