// Command guest is what the appliance test runs inside its guest: an agent that
// runs the test's commands, and a USB camera made by software. It is linked
// without cgo and copied in before the system starts.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "Usage: guest agent PORT | guest camera [flags] | guest tell SERIAL WORD... | guest probe")
		os.Exit(2)
	}
	var err error
	switch args := os.Args[2:]; os.Args[1] {
	case "agent":
		err = agent(args)
	case "camera":
		err = camera(args)
	case "tell":
		err = tell(args)
	case "probe":
		probe()
	default:
		err = fmt.Errorf("there is no %q", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		os.Exit(1)
	}
}
