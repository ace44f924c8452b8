package source

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	library "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// identity is a certificate for 127.0.0.1 that vouches for itself.
type identity struct {
	tls.Certificate
	pem []byte
}

// trusted is one for the whole process: the system's certificates are read once.
var trusted = sync.OnceValues(newIdentity)

func newIdentity() (identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return identity{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return identity{}, err
	}
	return identity{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, nil
}

// serveTLS runs a gRPC server with a certificate until the test ends.
func serveTLS(t *testing.T, own identity) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&own.Certificate)))
	grpc_health_v1.RegisterHealthServer(g, library.NewServer())
	go func() { _ = g.Serve(ln) }()
	t.Cleanup(g.Stop)
	return ln.Addr().String()
}

// TLS is spoken with whom the system trusts, and with nobody else.
func TestDial_TrustsWhomTheSystemTrusts(t *testing.T) {
	known, err := trusted()
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := newIdentity()
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, known.pem, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", ca)
	t.Setenv("SSL_CERT_DIR", t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ours, other := serveTLS(t, known), serveTLS(t, unknown)
	for _, c := range []struct {
		address string
		secure  bool
		good    bool
	}{{ours, true, true}, {other, true, false}, {ours, false, false}} {
		client, err := Dial(c.address, c.secure)
		if err != nil {
			t.Fatal(err)
		}
		if err = client.Check(ctx); (err == nil) != c.good {
			t.Errorf("%+v: %v", c, err)
		}
		_ = client.Close()
	}
}
