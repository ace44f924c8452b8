package server_test

import (
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"throng/source"
)

// bytesCodec sends what a client's library would not.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "proto" }

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

var _ encoding.CodecV2 = bytesCodec{}

// Messages that are none are refused, whatever their bytes; the port serves on.
func TestGRPC_BytesThatAreNoMessage(t *testing.T) {
	n := start(t, withGRPC(nil))
	backend, conn := n.backend()
	for _, message := range [][]byte{
		{0x12, 1, 0xff},             // a topic that is not UTF-8
		{0x12, 0x7f, 'a'},           // shorter than it says
		{0xff, 0xff, 0xff, 0xff},    // no field
		{0x1a, 2, 0xc3, 0x28, 0x12}, // a name that is not UTF-8, and half a field
	} {
		var answer []byte
		err := conn.Invoke(inTime(t), source.Source_Publish_FullMethodName, message, &answer, grpc.ForceCodecV2(bytesCodec{}))
		if status.Code(err) != codes.Internal {
			t.Errorf("% x: %v, answered % x", message, err, answer)
		}
	}
	if _, err := backend.Publish(inTime(t), text("a", "x")); err != nil {
		t.Error(err)
	}
	if err := conn.Invoke(inTime(t), "/throng.v1.Source/Nothing", text("a", "x"), &source.PublishResponse{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("an unknown method: %v", err)
	}
}
