/* What test-gdb.sh debugs: a call, variables to watch, threads, a signal, a wait for input. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int watched = 1, other;
double third = 1.0 / 3;
volatile int spin = 1;
static volatile int go;

int add(int a, int b)
{
	int sum = a + b;
	watched = sum;
	return sum;
}

static void *worker(void *arg)
{
	while (!go)
		usleep(1000);
	return arg;
}

static void on_usr1(int sig)
{
	other = sig;
}

static int forked(void)
{
	int status;
	if (fork() == 0)
		_exit(add(2, 3));
	wait(&status);
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	pthread_t t[2];
	char c;
	if (argc > 1 && !strcmp(argv[1], "spin"))
		while (spin)
			;
	if (argc > 1 && !strcmp(argv[1], "read"))
		return read(0, &c, 1) == 1 ? 42 : 43;
	if (argc > 1 && !strcmp(argv[1], "fork"))
		return forked();
	if (argc > 1 && !strcmp(argv[1], "exec")) {
		execl("/nowhere", "nowhere", NULL);
		execl(argv[2], "executed", NULL);
	}
	if (argc > 1 && !strcmp(argv[1], "crash"))
		*(volatile int *)16 = 1;
	signal(SIGUSR1, on_usr1);
	int x = add(3, 4);
	pthread_create(&t[0], NULL, worker, NULL);
	pthread_create(&t[1], NULL, worker, NULL);
	raise(SIGUSR1);
	x += add(x, 5);
	printf("x %d other %d\n", x, other); /* line: print */
	fflush(stdout);
	go = 1;
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	return x & 7;
}
