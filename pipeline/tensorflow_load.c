//go:build tensorflow

// The functions of TensorFlow's C library that the Go package calls, each a
// jump to where lv_tensorflow_load found it.
//
// The library is not simply linked, because it exports a TLS library, curl and
// protocol buffers of its own beside its own functions. OpenCV and what it
// drags in would then use those in place of Debian's, which are of other
// versions: one of them would sooner or later read the other's memory wrongly.
// RTLD_LOCAL hides the library from everybody, RTLD_DEEPBIND everybody's
// symbols from the library. A program that never runs a TensorFlow network
// also never reads its half gigabyte.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "tensorflow_load.h"

#ifndef __x86_64__
#error "TensorFlow networks are run on x86-64 only: the jumps below are written for it"
#endif

static const char library[] = "libtensorflow_cc.so.2";

// What github.com/tensorflow/tensorflow/tensorflow/go v1.15.0 calls, and
// TF_SetStatus.
#define FUNCTIONS(F) \
	F(TFE_ContextListDevices) F(TFE_ContextOptionsSetAsync) F(TFE_ContextOptionsSetConfig) \
	F(TFE_DeleteContext) F(TFE_DeleteContextOptions) F(TFE_DeleteTensorHandle) F(TFE_NewContext) \
	F(TFE_NewContextOptions) F(TFE_NewTensorHandle) F(TFE_TensorHandleBackingDeviceName) \
	F(TFE_TensorHandleCopyToDevice) F(TFE_TensorHandleDataType) F(TFE_TensorHandleDeviceName) \
	F(TFE_TensorHandleDim) F(TFE_TensorHandleNumDims) F(TFE_TensorHandleResolve) F(TF_AddControlInput) \
	F(TF_AddGradientsWithPrefix) F(TF_AddInput) F(TF_AddInputList) F(TF_AllocateTensor) F(TF_CloseSession) \
	F(TF_DeleteBuffer) F(TF_DeleteDeviceList) F(TF_DeleteGraph) F(TF_DeleteImportGraphDefOptions) \
	F(TF_DeletePRunHandle) F(TF_DeleteSession) F(TF_DeleteSessionOptions) F(TF_DeleteStatus) \
	F(TF_DeleteTensor) F(TF_DeviceListCount) F(TF_DeviceListMemoryBytes) F(TF_DeviceListName) \
	F(TF_DeviceListType) F(TF_Dim) F(TF_FinishOperation) F(TF_GetCode) F(TF_GraphGetTensorNumDims) \
	F(TF_GraphGetTensorShape) F(TF_GraphImportGraphDef) F(TF_GraphNextOperation) F(TF_GraphOperationByName) \
	F(TF_GraphToGraphDef) F(TF_ImportGraphDefOptionsSetDefaultDevice) F(TF_ImportGraphDefOptionsSetPrefix) \
	F(TF_LoadSessionFromSavedModel) F(TF_Message) F(TF_NewBuffer) F(TF_NewGraph) \
	F(TF_NewImportGraphDefOptions) F(TF_NewOperation) F(TF_NewSession) F(TF_NewSessionOptions) F(TF_NewStatus) \
	F(TF_NumDims) F(TF_OperationDevice) F(TF_OperationGetAttrBool) F(TF_OperationGetAttrBoolList) \
	F(TF_OperationGetAttrFloat) F(TF_OperationGetAttrFloatList) F(TF_OperationGetAttrInt) \
	F(TF_OperationGetAttrIntList) F(TF_OperationGetAttrMetadata) F(TF_OperationGetAttrShape) \
	F(TF_OperationGetAttrShapeList) F(TF_OperationGetAttrString) F(TF_OperationGetAttrStringList) \
	F(TF_OperationGetAttrTensor) F(TF_OperationGetAttrTensorList) F(TF_OperationGetAttrType) \
	F(TF_OperationGetAttrTypeList) F(TF_OperationInput) F(TF_OperationInputType) F(TF_OperationName) \
	F(TF_OperationNumInputs) F(TF_OperationNumOutputs) F(TF_OperationOpType) F(TF_OperationOutputConsumers) \
	F(TF_OperationOutputListLength) F(TF_OperationOutputNumConsumers) F(TF_OperationOutputType) \
	F(TF_SessionListDevices) F(TF_SessionPRun) F(TF_SessionPRunSetup) F(TF_SessionRun) F(TF_SetAttrBool) \
	F(TF_SetAttrBoolList) F(TF_SetAttrFloat) F(TF_SetAttrFloatList) F(TF_SetAttrInt) F(TF_SetAttrIntList) \
	F(TF_SetAttrShape) F(TF_SetAttrShapeList) F(TF_SetAttrString) F(TF_SetAttrStringList) F(TF_SetAttrTensor) \
	F(TF_SetAttrTensorList) F(TF_SetAttrType) F(TF_SetAttrTypeList) F(TF_SetConfig) F(TF_SetDevice) \
	F(TF_SetStatus) F(TF_SetTarget) F(TF_TensorByteSize) F(TF_TensorData) F(TF_TensorType) F(TF_Version)

#define POINTER(name) void *lv_##name __attribute__((visibility("hidden"), used));
FUNCTIONS(POINTER)

#define JUMP(name)                            \
	__asm__(".text\n"                         \
	        ".p2align 4\n"                    \
	        ".globl " #name "\n"              \
	        ".type " #name ", @function\n"    \
	        #name ":\n"                       \
	        "\tjmp *lv_" #name "(%rip)\n"     \
	        ".size " #name ", . - " #name "\n");
FUNCTIONS(JUMP)

#define ENTRY(name) {#name, &lv_##name},
static const struct {
	const char *name;
	void **at;
} functions[] = {FUNCTIONS(ENTRY)};

int lv_tensorflow_load(char *err, size_t errlen) {
	// It tells stderr about every processor feature otherwise. 2: errors only.
	setenv("TF_CPP_MIN_LOG_LEVEL", "2", 0);
	void *lib = dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
	if (lib == NULL) {
		snprintf(err, errlen, "%s", dlerror());
		return -1;
	}
	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
		*functions[i].at = dlsym(lib, functions[i].name);
		if (*functions[i].at == NULL) {
			snprintf(err, errlen, "%s has no %s: it is not of a version that is known here", library, functions[i].name);
			return -1;
		}
	}
	return 0;
}

// Tensors of strings are laid out otherwise since TensorFlow 2.4, and the
// functions that the Go package wants for them are gone. No network here has
// one; whoever tries is told so.

struct TF_Status;
void TF_SetStatus(struct TF_Status *s, int code, const char *msg);

static void refuse(struct TF_Status *s) { TF_SetStatus(s, 12 /* unimplemented */, "tensors of strings are not supported"); }

size_t TF_StringEncode(const char *src, size_t len, char *dst, size_t room, struct TF_Status *s) {
	refuse(s);
	return 0;
}

size_t TF_StringDecode(const char *src, size_t len, const char **dst, size_t *dstlen, struct TF_Status *s) {
	refuse(s);
	return 0;
}

size_t TF_StringEncodedSize(size_t len) { return len; }
