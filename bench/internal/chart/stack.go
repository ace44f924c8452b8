package chart

import (
	"bytes"
	"image"
	"image/draw"
	"image/png"
	"io"
)

// panelHeight is that of one chart of several, pixels.
const panelHeight = 440

// Stack draws charts one above the other. Those that begin and end with the same values on
// their x axis can be compared moment by moment.
func Stack(w io.Writer, charts []Chart) error {
	all := image.NewRGBA(image.Rect(0, 0, width, panelHeight*len(charts)))
	for i, c := range charts {
		var b bytes.Buffer
		if err := c.draw(&b, panelHeight); err != nil {
			return err
		}
		one, err := png.Decode(&b)
		if err != nil {
			return err
		}
		draw.Draw(all, image.Rect(0, panelHeight*i, width, panelHeight*(i+1)), one, one.Bounds().Min, draw.Src)
	}
	return png.Encode(w, all)
}
