package models

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// verify says whether data is the network that s means and looks like one. The
// second is for a digest that a site wrote beside a file of another kind: no
// runtime is asked to parse what is plainly not its own format.
func verify(data []byte, s Spec) error {
	sum := sha256.Sum256(data)
	if h := hex.EncodeToString(sum[:]); h != s.SHA256 {
		return fmt.Errorf("its SHA-256 is %s", h)
	}
	if s.Runtime == RuntimeTensorFlow {
		return checkSavedModel(data)
	}
	return checkONNX(data)
}

// readBounded reads a regular file of 1 to limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	st, err := os.Stat(path) // before Open, which would wait at a named pipe
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if len(b) == 0 || int64(len(b)) > limit {
		return nil, fmt.Errorf("%s is empty or larger than %d bytes", path, limit)
	}
	return b, nil
}
