/** What to do when a GPU can't be used, by the code of the error. */
export const deviceHints: Readonly<Record<string, string>> = {
	ERR_NO_BACKEND: 'The prebuilt package for Linux on x64 has it; in a checkout npm run build:cuda makes it, with nvcc. --device cpu computes on the CPU.',
	ERR_NO_DRIVER: 'Install the NVIDIA driver (in a container: start it with --gpus; with NVSwitch: start nvidia-fabricmanager too), or use --device cpu.',
	ERR_OLD_DRIVER: 'Install a driver for CUDA 13 or newer, or use --device cpu.',
	ERR_NO_DEVICE: 'flab-pruner doctor lists the GPUs; CUDA_VISIBLE_DEVICES hides some. --device cpu computes on the CPU.',
	ERR_DEVICE_BUSY: 'Another process holds it alone: end that one, choose another GPU (--device cuda:N), or use --device cpu.',
	ERR_DEVICE_UNSUPPORTED: 'GPUs from compute capability 8.0 (Ampere) on are supported. Use --device cpu.',
	ERR_DEVICE_MEMORY: 'End what else uses the GPU, raise maxDeviceMemory (--max-device-memory), use shorter texts (--max-tokens), or use --device cpu.',
	ERR_DEVICE_FAULT: 'nvidia-smi and the system log say more. A new process can use the GPU again; this one can go on with --device cpu.',
};
