# ends well without reading or printing
