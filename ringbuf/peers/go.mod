module throng/ringbuf/peers

go 1.26.0

require throng v0.0.0

require github.com/puzpuzpuz/xsync/v4 v4.5.0

replace throng => ../..
