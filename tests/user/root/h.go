package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

func spin(n int) (s uint64) {
	for i := 0; i < n; i++ {
		s = s*6364136223846793005 + uint64(i)
	}
	return
}

func main() {
	runtime.GOMAXPROCS(4)
	var wg sync.WaitGroup
	res := make([]uint64, 8)
	stop := make(chan bool)
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
				time.Sleep(time.Millisecond)
			}
		}
	}()
	for g := 0; g < 8; g++ {
		wg.Add(1)
		go func(g int) {
			defer wg.Done()
			for k := 0; k < 20; k++ {
				res[g] = spin(5000000)
			}
		}(g)
	}
	wg.Wait()
	close(stop)
	for g := 1; g < 8; g++ {
		if res[g] != res[0] {
			panic("differs")
		}
	}
	fmt.Println("go ok", res[0])
}
