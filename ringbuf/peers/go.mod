module throng/ringbuf/peers

go 1.26.0

require throng v0.0.0

require (
	github.com/Workiva/go-datastructures v1.1.7
	github.com/dustin/go-broadcast v0.0.0-20171205050544-f664265f5a66
	github.com/puzpuzpuz/xsync/v4 v4.5.0
)

replace throng => ../..
