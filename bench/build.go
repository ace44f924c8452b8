package bench

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed floor/floor.c
var floorSource []byte

// BuildServer builds the server under test from the module of the working directory and
// returns its command line with throng's own defaults.
func BuildServer(ctx context.Context, dir string) ([]string, error) {
	bin, err := goBuild(ctx, dir, "throng/cmd/throng")
	return []string{bin, "serve", "--listen", listenWord, "--admin", adminWord}, err
}

// BuildFloor compiles the sender in C with cc -O2. The source is inside the binary.
func BuildFloor(ctx context.Context, dir string) ([]string, error) {
	source, bin := filepath.Join(dir, "floor.c"), filepath.Join(dir, "floor")
	if err := os.WriteFile(source, floorSource, 0o600); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return []string{bin, listenWord}, build(ctx, "cc", "-O2", "-o", bin, source)
}

func goBuild(ctx context.Context, dir, pkg string) (string, error) {
	bin := filepath.Join(dir, filepath.Base(pkg))
	return bin, build(ctx, "go", "build", "-o", bin, pkg)
}

func build(ctx context.Context, argv ...string) error {
	if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("bench: %q: %w\n%s", argv, err, out)
	}
	return nil
}
