//go:build linux

package topics_test

import (
	"fmt"
	"log"

	"throng/topics"
)

func ExampleIndex() {
	x, err := topics.New(topics.LimitsFor(1000))
	if err != nil {
		log.Fatal(err)
	}
	defer x.Close()

	const shop = 1 // a namespace
	var alice, bob topics.Chain
	if alice, err = x.Join(shop, "user/42", 7, alice); err != nil {
		log.Fatal(err)
	}
	if alice, err = x.Join(shop, "label/region/eu", 7, alice); err != nil {
		log.Fatal(err)
	}
	if bob, err = x.Join(shop, "label/#", 8, bob); err != nil {
		log.Fatal(err)
	}

	var c topics.Cursor
	for _, s := range x.Match(shop, []string{"label/region/eu"}, nil) {
		x.Start(s, &c)
		for row, ok := c.Next(); ok; row, ok = c.Next() {
			fmt.Println("row", row)
		}
		x.Release(s)
	}
	fmt.Println(x.Has(bob, shop, []string{"user/42"}), x.Filters(alice, nil))
	x.Leave(alice)
	x.Leave(bob)
	// Output:
	// row 7
	// row 8
	// false [user/42 label/region/eu]
}
