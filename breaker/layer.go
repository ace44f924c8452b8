package breaker

// Layer is what a breaker protects.
type Layer uint8

// The layers, from the door to the data.
const (
	Connection Layer = iota // new connections and streams
	Gateway                 // writes to streams, by namespace
	Queue                   // the ring between publishers and streams
	Sources                 // stores and upstreams
	layerCount
)

// String is the layer's label.
func (l Layer) String() string {
	return [layerCount]string{"connection", "gateway", "queue", "source"}[l]
}

// Layers gives the labels, by Layer.
func Layers() []string {
	var all []string
	for l := range layerCount {
		all = append(all, l.String())
	}
	return all
}

// State is how a breaker stands. Its number is what a gauge shows.
type State uint8

// The states of circuits, and of channels and sources.
const (
	Closed   State = iota // all may pass
	HalfOpen              // a few may, to find out
	Open                  // nobody may
	stateCount

	Healthy  = Closed   // answers as it should
	Degraded = HalfOpen // slow, or fails at times
	Isolated = Open     // is not asked, but for probes
)

// Name is the state's word in its layer.
func (l Layer) Name(s State) string {
	if l == Sources {
		return [stateCount]string{"healthy", "degraded", "isolated"}[s]
	}
	return [stateCount]string{"closed", "half-open", "open"}[s]
}

// Names gives the words of a layer, by State.
func (l Layer) Names() []string {
	var all []string
	for s := range stateCount {
		all = append(all, l.Name(s))
	}
	return all
}
