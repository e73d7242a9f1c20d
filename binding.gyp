{
  # No sources here: CMakeLists.txt has them. This target only runs CMake.
  "targets": [{
    "target_name": "flab_pruner",
    "type": "none",
    "actions": [{
      "action_name": "cmake",
      "message": "building with CMake",
      "inputs": ["CMakeLists.txt"],
      # never made, so that the action always runs
      "outputs": ["<(PRODUCT_DIR)/always"],
      "action": ["cmake",
        "-DSRC=<(module_root_dir)", "-DCONFIG=<(CONFIGURATION_NAME)",
        "-DNODE_INC=<(node_root_dir)/include/node",
        "-P", "<(module_root_dir)/native/gyp.cmake"]
    }]
  }]
}
