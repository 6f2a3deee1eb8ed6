// Package appliance holds the test of the installed product: a Debian guest
// under emulation with a real kernel, a real systemd and a USB camera made by
// software, into which the package is installed. `make test-appliance` runs it;
// without TEST_APPLIANCE its tests are skipped.
//
//	image.sh      makes the kernel and the bare system, from Debian's packages
//	guest/        the program inside: an agent that runs commands, and the camera
//	machine.go    starts the guest, talks to it, cuts its power
//	*_test.go     the checks
package appliance
