"""onnxruntime-web, for the browser mode of `subpixel serve`: the files lie in VERSION/dist beside this one."""
