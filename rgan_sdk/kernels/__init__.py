"""What a convolution kernel does to an image: its MTF, its noise power, its edges.

Plain arrays with their pixel spacing in, numbers out; nothing here knows DICOM.
"""
