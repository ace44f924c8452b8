package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// configFile is the value of --config. When it is set, the file's values stand below
// flags and environment.
type configFile string

// BeforeResolve reads the file. Kong calls it between reading the flags and asking the
// resolvers.
func (c configFile) BeforeResolve(ctx *kong.Context, trace *kong.Path) error {
	name := string(ctx.FlagValue(trace.Flag).(configFile))
	if name == "" {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	defer f.Close()
	var keys []string
	for _, flag := range ctx.Selected().Flags {
		if flag.Tag.Type == "setting" || flag.Group != nil && flag.Group.Key == logGroup {
			keys = append(keys, flag.Name)
		}
	}
	values, err := readFile(f, keys)
	if err != nil {
		return fmt.Errorf("--config: %s: %w", name, err)
	}
	ctx.AddResolver(values)
	return nil
}

// fileValues are the keys of a file, each with one string or a []string. It is a
// kong.Resolver.
type fileValues map[string]any

// Validate has nothing left to do: readFile knows the keys.
func (v fileValues) Validate(*kong.Application) error { return nil }

// Resolve gives the file's value, unless the environment has one: kong asks resolvers
// after it has read the environment, and would let them win.
func (v fileValues) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, env := range flag.Envs {
		if _, set := os.LookupEnv(env); set {
			return nil, nil
		}
	}
	return v[flag.Name], nil
}

// readFile reads a flat YAML map; keys are the names that it may hold. The error of a
// wrong one has its line.
func readFile(r io.Reader, keys []string) (fileValues, error) {
	in := yaml.NewDecoder(r)
	var nodes map[string]yaml.Node
	switch err := in.Decode(&nodes); {
	case errors.Is(err, io.EOF): // nothing, or comments only
		return nil, nil
	case err != nil:
		return nil, err
	}
	if in.Decode(new(yaml.Node)) != io.EOF {
		return nil, errors.New("a second document follows; one is read")
	}
	values := fileValues{}
	var all []error
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		node := nodes[name]
		v, err := nodeValue(&node)
		if !slices.Contains(keys, name) {
			err = fmt.Errorf("is unknown; the nearest is %q", nearest(name, keys))
		}
		if err != nil {
			all = append(all, fmt.Errorf("line %d: the key %q %w", node.Line, name, err))
		}
		values[name] = v
	}
	return values, errors.Join(all...)
}

func nodeValue(n *yaml.Node) (any, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Kind == yaml.SequenceNode:
		list := []string{}
		err := n.Decode(&list)
		return list, err
	case n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null":
		return n.Value, nil
	}
	return nil, errors.New("needs one value, or a list of values")
}
